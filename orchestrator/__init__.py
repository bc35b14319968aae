"""The conversation: turn-taking, recognition, the brain, synthesis, and the truth about what was heard."""
