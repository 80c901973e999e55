"""Model schemas: found, loaded, made strict, and used to turn what a user wrote into a request body."""
