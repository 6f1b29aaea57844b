// @ts-check
// The set-up page waits for the first pipeline, and turns to it.
const place = document.getElementById('waiting');
if (place) {
  const events = new EventSource('/setup/events');
  events.addEventListener('pipeline', (e) => {
    events.close();
    const href = String(/** @type {MessageEvent} */ (e).data);
    if (href.startsWith('/p/')) location.assign(href);
  });
  events.addEventListener('refused', () => {
    events.close();
    location.reload();
  });
}
