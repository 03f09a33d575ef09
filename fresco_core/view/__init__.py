"""Pictures of a run, and edits of a schedule that is drawn. The method never imports this."""
