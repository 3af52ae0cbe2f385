"""What the assistant may do: functions, HTTP operations and MCP servers, with limits and a journal."""
