"""A camera's view, profile, alarms and aim, as numbers. No plate is here."""
