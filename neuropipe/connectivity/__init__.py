"""Static functional connectivity: the baseline beside which every dynamic model must stand."""
