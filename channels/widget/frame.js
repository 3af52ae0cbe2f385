/** Entry of the chat frame: reads what the loader put into the address, and starts the app. */

import { App } from './app.js';
import { paintAccent } from './theme.js';

const query = new URLSearchParams(location.search);
const wishes = new URLSearchParams(location.hash.slice(1));

paintAccent(wishes.get('color') ?? '');

const app = new App({
  base: new URL('.', location.href),
  account: query.get('account') || 'default',
  hostOrigin: query.get('origin') ?? '',
  locale: wishes.get('locale') || navigator.language,
});
app.start();
