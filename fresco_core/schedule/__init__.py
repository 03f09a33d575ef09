"""What was asked for: a schedule, its text, and the plan that it becomes for one run."""
