"""Groups of accounts that behave alike: coarse, then fine."""
