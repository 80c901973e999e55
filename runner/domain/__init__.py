"""The terms of the product: shots and takes, states and facts, money, limits, errors, answers of the API, records.

They are values and pure functions. They know no network, no SQL, no terminal, and no clock except one they are given.
"""
