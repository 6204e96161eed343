"""The sites whose pages show the widget, their signing keys, and their visitors."""
