// Colours follow the system unless somebody chose otherwise in this browser.
import { signal } from "./ui.js";

const KEPT = "frontdesk.theme";
const THEMES = ["system", "light", "dark"];

export const theme = signal(localStorage.getItem(KEPT) || "system");

/** Shows a theme and keeps the choice. */
export function wear(name) {
  theme.value = THEMES.includes(name) ? name : "system";
  if (theme.value === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
  localStorage.setItem(KEPT, theme.value);
}

/** The theme behind the present one. */
export const nextTheme = () => wear(THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length]);
