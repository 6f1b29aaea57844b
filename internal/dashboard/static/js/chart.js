// @ts-check
// Values under the pointer and at the arrow keys, read from the table beside
// the chart: picture and table can't differ.

const tip = /** @type {HTMLElement} */ (document.getElementById('tip'));

/** @param {HTMLElement} area */
function rows(area) {
  const table = area.closest('.card')?.querySelector('.tbl table');
  return table instanceof HTMLTableElement ? { head: [...table.tHead?.rows[0].cells ?? []], body: table.tBodies[0].rows } : null;
}

/** @param {string} title @param {[string, string][]} pairs @param {string} more */
function fill(title, pairs, more) {
  tip.replaceChildren();
  const b = document.createElement('b');
  b.textContent = title;
  const dl = document.createElement('dl');
  for (const [name, value] of pairs) {
    const dt = document.createElement('dt');
    const dd = document.createElement('dd');
    dt.textContent = name;
    dd.textContent = value;
    dl.append(dt, dd);
  }
  tip.append(b, dl);
  if (more) {
    const p = document.createElement('p');
    p.textContent = more;
    tip.append(p);
  }
  tip.hidden = false;
}

/** @param {number} x @param {number} y */
function place(x, y) {
  const left = Math.max(8, Math.min(innerWidth - tip.offsetWidth - 8, x + 16));
  const top = Math.max(8, Math.min(innerHeight - tip.offsetHeight - 8, y + 12));
  tip.style.transform = `translate(${left}px, ${top}px)`;
}

/** @param {ParentNode} where */
export function charts(where) {
  for (const area of where.querySelectorAll('[data-hover]')) chart(/** @type {HTMLElement} */ (area));
  for (const area of where.querySelectorAll('[data-lanes]')) lanes(/** @type {HTMLElement} */ (area));
  for (const area of where.querySelectorAll('.swarm .area')) swarm(/** @type {HTMLElement} */ (area));
}

/**
 * A beeswarm: its dots lead to their pipelines, and what is between them to all
 * of the row.
 * @param {HTMLElement} area
 */
function swarm(area) {
  const dots = findDots(area);
  for (const title of area.querySelectorAll('title')) { // the tip says more, but a link keeps its name
    title.closest('a')?.setAttribute('aria-label', title.textContent);
    title.remove();
  }
  area.addEventListener('pointermove', (e) => {
    const dot = dots(e);
    area.classList.toggle('links', !!dot);
    if (!dot) {
      tip.hidden = true;
      return;
    }
    fill(`#${dot.id}`, [], dot.kind);
    place(e.clientX, e.clientY);
  });
  area.addEventListener('pointerleave', () => { tip.hidden = true; });
  area.addEventListener('click', (e) => {
    const dot = dots(e);
    if (!dot) return;
    e.preventDefault();
    location.assign(dot.href);
  });
}

/**
 * What fills the tip from a row of the table.
 * @param {NonNullable<ReturnType<typeof rows>>} table @param {number} i
 */
function read(table, i) {
  const cells = [...table.body[i]?.cells ?? []].map((c) => c.textContent?.trim() ?? '');
  if (cells.length) fill(cells[0], cells.slice(1).map((c, k) => [table.head[k + 1]?.textContent ?? '', c]), '');
  return cells.length > 0;
}

/** @param {HTMLElement} area @param {string} keys */
function reachable(area, keys) {
  const title = area.closest('.card')?.querySelector('h2')?.textContent ?? 'Chart';
  area.tabIndex = 0;
  area.setAttribute('role', 'group');
  area.setAttribute('aria-roledescription', 'chart');
  area.setAttribute('aria-label', `${title}. ${keys}`);
}

/**
 * A waterfall: its rows are those of the table, and what a job waited for is
 * drawn while one looks at it.
 * @param {HTMLElement} area
 */
function lanes(area) {
  const table = rows(area);
  const all = [...area.querySelectorAll('.job')];
  const [head, height] = (area.dataset.lanes ?? '').split(' ').map(Number);
  if (!table || !all.length || !height) return;
  reachable(area, 'The arrow keys read jobs, Enter opens one.');
  for (const title of area.querySelectorAll('.job > title')) title.remove(); // the tip says more
  area.classList.add('links');
  let at = -1;
  /** @param {number} i @param {number=} x @param {number=} y */
  const show = (i, x, y) => {
    all[at]?.classList.remove('on');
    at = Math.max(0, Math.min(all.length - 1, i));
    all[at].classList.add('on');
    const box = area.getBoundingClientRect();
    if (read(table, at)) place(x ?? box.left, y ?? box.top + head + (at + 1) * height);
  };
  const hide = () => {
    tip.hidden = true;
    all[at]?.classList.remove('on');
  };
  const follow = () => {
    const to = table.body[at]?.querySelector('a')?.href;
    if (to) location.assign(to);
  };
  area.addEventListener('pointermove', (e) => {
    const i = Math.floor((e.clientY - area.getBoundingClientRect().top - head) / height);
    if (i >= 0 && i < all.length) show(i, e.clientX, e.clientY);
    else hide();
  });
  area.addEventListener('pointerleave', hide);
  area.addEventListener('blur', hide);
  area.addEventListener('click', (e) => { if (/** @type {PointerEvent} */ (e).pointerType === 'mouse' && !tip.hidden) follow(); });
  area.addEventListener('keydown', (e) => {
    const step = { ArrowUp: -1, ArrowDown: 1, Home: -all.length, End: all.length }[e.key];
    if (step) {
      e.preventDefault();
      show(at < 0 ? 0 : at + step);
    } else if (e.key === 'Escape') {
      hide();
    } else if (e.key === 'Enter' && at >= 0) {
      follow();
    }
  });
}

/** @param {HTMLElement} area */
function chart(area) {
  const table = rows(area);
  const places = (area.dataset.hover ?? '').split(' ').filter(Boolean).map(Number);
  if (!table || !places.length) return;
  const hair = document.createElement('div');
  hair.className = 'xhair';
  hair.hidden = true;
  const sweep = document.createElement('div');
  sweep.className = 'sweep';
  sweep.hidden = true;
  area.append(hair, sweep);
  reachable(area, 'The arrow keys read values, Enter shows the pipelines.');
  const dots = findDots(area);
  let at = places.length - 1;

  /** @param {number} i */
  const link = (i) => table.body[i]?.querySelector('a')?.href;
  if (link(at) ?? link(0)) area.classList.add('links');

  /** @param {number} i @param {number=} x @param {number=} y */
  const show = (i, x, y) => {
    at = Math.max(0, Math.min(places.length - 1, i));
    if (!read(table, at)) return;
    const box = area.getBoundingClientRect();
    const px = places[at] / 100 * box.width;
    hair.hidden = false;
    hair.style.transform = `translateX(${px}px)`;
    place(x ?? box.left + px, y ?? box.top);
  };
  const hide = () => { tip.hidden = true; hair.hidden = true; sweep.hidden = true; };

  /** @param {PointerEvent} e */
  const percent = (e) => {
    const box = area.getBoundingClientRect();
    return (e.clientX - box.left) / box.width * 100;
  };
  /** @param {number} p */
  const nearest = (p) => places.reduce((best, place, i) => Math.abs(place - p) < Math.abs(places[best] - p) ? i : best, 0);

  let from = -1;
  /** @type {string} */
  let target = '';
  area.addEventListener('pointermove', (e) => {
    const p = percent(e);
    if (from >= 0 && Math.abs(p - from) > 2) {
      const box = area.getBoundingClientRect();
      sweep.hidden = false;
      sweep.style.transform = `translateX(${Math.min(p, from) / 100 * box.width}px)`;
      sweep.style.width = `${Math.abs(p - from) / 100 * box.width}px`;
    }
    const dot = dots(e);
    if (dot && from < 0) {
      target = dot.href;
      hair.hidden = true;
      fill(`#${dot.id}`, [], dot.kind);
      place(e.clientX, e.clientY);
      return;
    }
    target = '';
    show(nearest(p), e.clientX, e.clientY);
  });
  area.addEventListener('pointerleave', () => { from = -1; hide(); });
  area.addEventListener('pointerdown', (e) => { if (e.pointerType === 'mouse' && e.button === 0) from = percent(e); });
  area.addEventListener('pointerup', (e) => {
    const p = percent(e);
    const a = nearest(Math.min(from, p));
    const b = nearest(Math.max(from, p));
    const swept = from >= 0 && Math.abs(p - from) > 2;
    from = -1;
    sweep.hidden = true;
    if (swept) {
      if (a !== b) zoom(table.body[a], table.body[b]);
      return;
    }
    const to = target || link(nearest(p));
    if (to && e.pointerType === 'mouse' && !(/** @type {Element} */ (e.target)).closest('a')) location.assign(to);
  });
  area.addEventListener('dragstart', (e) => e.preventDefault()); // of a link
  area.addEventListener('blur', hide);
  area.addEventListener('keydown', (e) => {
    const n = places.length;
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -n, End: n, PageUp: -7, PageDown: 7 }[e.key];
    if (step) {
      e.preventDefault();
      show(hair.hidden && Math.abs(step) < n ? at : at + step);
    } else if (e.key === 'Escape') {
      hide();
    } else if (e.key === 'Enter') {
      const to = link(at);
      if (to) location.assign(to);
    }
  });
}

/**
 * Which dot is under the pointer: the chart says where they are and whose.
 * @param {HTMLElement} area
 */
function findDots(area) {
  const base = area.closest('.card')?.getAttribute('data-pipelines') ?? '';
  /** @type {{x: number, y: number, id: bigint, kind: string}[]} */
  const all = [];
  for (const path of area.querySelectorAll('path[data-ids]')) {
    const places = (path.getAttribute('d') ?? '').split('M').filter(Boolean);
    const ids = (path.getAttribute('data-ids') ?? '').split(' ');
    let id = 0n; // each is given as what it is more than the one before
    places.forEach((p, i) => {
      const [x, y] = p.replace('h0', '').split(' ').map(Number);
      id += BigInt(ids[i]);
      all.push({ x, y, id, kind: path.getAttribute('data-kind') ?? '' });
    });
  }
  /** @param {MouseEvent} e */
  return (e) => {
    if (!all.length || !base) return null;
    const box = area.getBoundingClientRect();
    let best = null;
    let least = 49;
    for (const dot of all) {
      const dx = dot.x / 1000 * box.width - (e.clientX - box.left);
      const dy = dot.y - (e.clientY - box.top);
      if (dx * dx + dy * dy < least) {
        least = dx * dx + dy * dy;
        best = dot;
      }
    }
    return best ? { ...best, href: base + best.id } : null;
  };
}

/**
 * Shows the time from the beginning of one row to the end of another.
 * @param {HTMLTableRowElement} a @param {HTMLTableRowElement} b
 */
function zoom(a, b) {
  const from = a.dataset.from;
  const to = b.dataset.to;
  if (!from || !to) return;
  const url = new URL(location.href);
  url.searchParams.delete('range');
  url.searchParams.delete('cursor');
  url.searchParams.set('from', from);
  url.searchParams.set('to', to);
  location.assign(url);
}
