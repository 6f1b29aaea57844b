// @ts-check
// The settings of a project show what they would do as one types. The server
// makes the whole page again; what is in the fields stays as it is.
const form = /** @type {HTMLFormElement | null} */ (document.getElementById('settings'));
if (form) {
  let timer = 0;
  /** @type {XMLHttpRequest | undefined} */
  let asking;

  /** @param {Document} page */
  const take = (page) => {
    const from = page.getElementById('preview-b');
    const to = document.getElementById('preview-b');
    if (!from || !to) return;
    to.replaceChildren(...document.importNode(from, true).childNodes);
    for (const wrong of form.querySelectorAll('small.wrong')) {
      const text = page.getElementById(wrong.id)?.textContent ?? '';
      wrong.textContent = text;
      const input = wrong.parentElement?.querySelector('input, select, textarea');
      if (text) input?.setAttribute('aria-invalid', 'true');
      else input?.removeAttribute('aria-invalid');
    }
  };

  const ask = () => {
    asking?.abort();
    const box = document.getElementById('preview-b');
    box?.setAttribute('aria-busy', 'true');
    const body = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (typeof value === 'string') body.append(name, value);
    body.append('do', 'preview');
    // Not fetch: a policy that lets no text become HTML lets this parse a page.
    const request = new XMLHttpRequest();
    asking = request;
    request.open('POST', form.action);
    request.responseType = 'document';
    request.onload = () => { if (request.response) take(request.response); };
    request.onloadend = () => { if (asking === request) box?.removeAttribute('aria-busy'); };
    request.send(body);
  };

  form.addEventListener('input', () => {
    clearTimeout(timer);
    timer = window.setTimeout(ask, 300);
  });
  form.addEventListener('submit', () => clearTimeout(timer));
}
