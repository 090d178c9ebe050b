"""A run on disk: folder, records, checkpoints, resuming, metrics of detection."""
