// @ts-check
// Makes pages quicker that already work without it. No framework, nothing of
// others.
import { charts } from './chart.js';

const root = document.documentElement;

/** @param {string} name @param {string} value */
function remember(name, value) {
  document.cookie = `${name}=${encodeURIComponent(value)}; path=/; max-age=31536000; samesite=lax${location.protocol === 'https:' ? '; secure' : ''}`;
}

/** @param {string} name */
function remembered(name) {
  const all = document.cookie.split('; ').map((c) => c.split('='));
  const found = all.find(([n]) => n === name);
  return found ? decodeURIComponent(found[1]) : '';
}

/** @param {string} text */
function say(text) {
  const live = document.getElementById('said');
  if (live) live.textContent = text;
}

// The theme: what the button says is kept, else the system decides.
document.getElementById('theme')?.addEventListener('click', () => {
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  remember('theme', root.dataset.theme);
  say(`${root.dataset.theme} colours`);
});

// Where the tabs are wider than the window, the one that is here is in sight.
const here = document.querySelector('.top nav [aria-current]');
if (here instanceof HTMLElement) here.scrollIntoView({ block: 'nearest', inline: 'center' });

// The browser's time zone, asked for once.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && remembered('tz') !== zone && root.dataset.zone !== undefined) {
  remember('tz', zone);
  const asked = new URL(location.href).searchParams.has('tz');
  if (!asked && remembered('tz') === zone && root.dataset.zone !== zone) location.reload();
}

// Filters: a choice is an answer.
for (const form of document.querySelectorAll('form.filters')) {
  form.addEventListener('change', (e) => {
    if (e.target instanceof HTMLSelectElement) {
      document.getElementById('main')?.setAttribute('aria-busy', 'true');
      /** @type {HTMLFormElement} */ (form).requestSubmit();
    }
  });
  form.addEventListener('submit', () => {
    for (const field of form.querySelectorAll('select')) {
      const usual = field.dataset.usual;
      field.disabled = field.value === usual; // what is usual stays out of the URL
    }
  });
}
addEventListener('pageshow', () => {
  for (const field of document.querySelectorAll('form.filters select')) /** @type {HTMLSelectElement} */ (field).disabled = false;
  document.getElementById('main')?.removeAttribute('aria-busy');
});

// Copy: a link, or the text that a button names.
for (const button of document.querySelectorAll('[data-copy]')) {
  button.addEventListener('click', async () => {
    const given = /** @type {HTMLElement} */ (button).dataset.copy ?? '';
    const from = given.startsWith('#') ? document.querySelector(given)?.textContent ?? '' : new URL(given, location.href).href;
    const was = button.textContent;
    try {
      await navigator.clipboard.writeText(from);
      button.textContent = 'Copied';
    } catch {
      button.textContent = 'Copy failed';
    }
    say(button.textContent ?? '');
    setTimeout(() => { button.textContent = was; }, 1500);
  });
}

// Times that say how long ago.
const words = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
for (const time of document.querySelectorAll('time[data-ago]')) {
  const seconds = (Date.now() - Date.parse(/** @type {HTMLTimeElement} */ (time).dateTime)) / 1000;
  const [n, unit] = seconds < 3600 ? [seconds / 60, 'minute'] : seconds < 172800 ? [seconds / 3600, 'hour'] : [seconds / 86400, 'day'];
  time.textContent = words.format(-Math.round(/** @type {number} */ (n)), /** @type {Intl.RelativeTimeFormatUnit} */ (unit));
}

// Keys. They can be turned off in the list of keys.
const help = /** @type {HTMLDialogElement | null} */ (document.getElementById('keys'));
const off = /** @type {HTMLInputElement | null} */ (document.getElementById('keys-off'));
if (off) {
  off.checked = remembered('keys') === 'off';
  off.addEventListener('change', () => remember('keys', off.checked ? 'off' : 'on'));
}
let going = 0;
addEventListener('keydown', (e) => {
  const target = /** @type {HTMLElement} */ (e.target);
  if (e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) || off?.checked) return;
  if (e.key === '/') {
    const find = document.getElementById('find');
    if (find) { e.preventDefault(); find.focus(); }
  } else if (e.key === '?') {
    help?.showModal();
  } else if (e.key === 'g') {
    going = e.timeStamp;
    return;
  } else if (going && e.timeStamp - going < 1500) {
    const link = /** @type {HTMLAnchorElement | null} */ (document.querySelector(`nav a[data-key="${CSS.escape(e.key)}"]`));
    link?.click();
  }
  going = 0;
});
document.getElementById('keys-open')?.addEventListener('click', () => help?.showModal());

charts(document);
