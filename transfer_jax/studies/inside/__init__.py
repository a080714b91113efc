"""What a study finds inside its networks, while it trains and at its end."""
