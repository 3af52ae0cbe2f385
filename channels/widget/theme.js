/** The site's accent colour: the ink on it is chosen for contrast, and it is never used for text on the page's own background. */

const LIGHT_INK = '#ffffff';
const DARK_INK = '#10151c';
const INK_TURN = 0.18; // relative luminance above which dark ink has the higher contrast

/** WCAG relative luminance. @param {string} hex #rrggbb */
function luminance(hex) {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const channel = parseInt(hex.slice(at, at + 2), 16) / 255;
    return channel <= 0.03928 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** @param {string} colour #rrggbb; anything else keeps the default */
export function paintAccent(colour) {
  if (!/^#[0-9a-f]{6}$/i.test(colour)) return;
  const { style } = document.documentElement;
  style.setProperty('--accent', colour);
  style.setProperty('--on-accent', luminance(colour) > INK_TURN ? DARK_INK : LIGHT_INK);
}
