"""Telegram bots: updates in by webhook or polling, answers out through the Bot API."""

from channels.telegram.channel import TelegramChannel as TelegramChannel
from channels.telegram.channel import make as make
