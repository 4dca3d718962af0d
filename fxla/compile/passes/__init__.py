"""From equations to equations: what is simplified, and what takes another form, before lowering."""
