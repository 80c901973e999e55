"""The words of the product: shots and takes, states and facts, money, limits, errors, answers of the API, records.

Values and pure functions. They know no network, no SQL, no terminal and no clock but the one that they are handed.
"""
