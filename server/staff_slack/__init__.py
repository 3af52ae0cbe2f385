"""Staff at work in Slack: a thread for each conversation that needs people, on the console's own state and rules."""
