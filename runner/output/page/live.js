// --- A page that is served while the run goes on ---
