"""The adapter for the RunComfy Model API: it turns every answer and every silence into our own words.

It knows the API's paths, bodies and error numbers; it knows no plan, no state file and no retries.
"""
