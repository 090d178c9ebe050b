"""What a rule or an attack is worth: laws, breakdown point, cost, and a table of accuracies."""
