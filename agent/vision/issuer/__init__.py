"""Which state issued a plate? What its small print says, or nothing (P10)."""
