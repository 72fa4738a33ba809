"""What an account owes, decided from its entries alone: pure functions, no I/O, no clock.

`entries` names the kinds; `balance` holds the formula; `cash`, `life`, `differences` and `ageing` derive the rest;
`lines` judges a lender's line; `standing` puts the accounts of a case together. Docs: docs/decisions/0041.
"""
