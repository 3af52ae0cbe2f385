"""Slack: the Events API or Socket Mode in, the Web API out; ``make`` builds one workspace's channel."""

from channels.slack.channel import make as make
