"""Who is notified of a run and how: the notice itself, the channels it goes over, and programs that are started."""
