"""The adapter for the RunComfy Model API: it turns every answer, and every missing one, into values of `domain`.

It knows the API's paths, bodies and error numbers. It knows no plan, no state file and no retries.
"""
