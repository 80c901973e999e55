"""The steps that commands share: open a run, sync its record, price, choose, run the engine, sum up."""
