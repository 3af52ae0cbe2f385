// The shop's own script: a basket, and a button that opens the chat through its public API.
(() => {
  'use strict';
  const count = document.getElementById('basket-count');
  let goods = 0;
  for (const button of document.querySelectorAll('[data-add]')) {
    button.setAttribute('aria-label', `Add to basket: ${button.dataset.add}`);
    button.addEventListener('click', () => {
      goods += 1;
      count.textContent = String(goods);
    });
  }
  const open = () => window.frontdesk.open();
  for (const button of document.querySelectorAll('[data-chat]')) {
    button.addEventListener('click', () => {
      if (window.frontdesk) open();
      else window.addEventListener('frontdesk:ready', open, { once: true }); // its script is still on the way
    });
  }
})();
