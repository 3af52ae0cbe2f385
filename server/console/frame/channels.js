// Names and limits of channels.
export const MOST_CHARACTERS = 8_000; // of one reply, on every channel

const NAMES = { web: "Web", slack: "Slack", telegram: "Telegram", whatsapp: "WhatsApp" };
const COUNTS = { bytes: (text) => new TextEncoder().encode(text).length, utf16: (text) => text.length, characters: (text) => [...text].length };

/** The channel's own name. */
export const channelName = (channel) => NAMES[channel] || channel;

/** The icon of a channel. */
export const channelIcon = (channel) => (channel in NAMES ? channel : "channels");

/** How a text fits into what the channel carries: {used, most, parts, left (seconds, null: no window), closed: no free text now}. */
export function fit(room, text) {
  const used = (COUNTS[room.unit] || COUNTS.characters)(text);
  const parts = room.text_units ? Math.max(1, Math.ceil(used / room.text_units)) : 1;
  const left = room.closes_at === null ? null : Math.max(0, room.closes_at - Date.now() / 1000);
  const over = left === 0 || !room.open;
  return { used, most: room.text_units, parts, left, closed: over };
}
