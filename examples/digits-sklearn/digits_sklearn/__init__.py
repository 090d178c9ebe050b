"""A Flower app: digits, scikit-learn's logistic regression, NumPy arrays."""
