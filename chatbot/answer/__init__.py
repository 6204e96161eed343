"""ANSWER: templates, stored answers, and composition under a guard."""
