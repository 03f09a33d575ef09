"""Schedules, plans and traces in words. The method never imports this."""
