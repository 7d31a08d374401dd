// Brings the parts of a page that carry data-live up to date, by asking for the same page again. What the page says is in its HTML
// alone: this script makes no text of its own but for how it stands with the host.
'use strict';
(() => {
  const every = 2000, longest = 30000, patience = 10000;
  const link = document.getElementById('link');
  let wait = every, timer = 0, asking = false, since = null;

  const say = (text, away) => {
    if (link.textContent !== text) link.textContent = text;
    link.classList.toggle('away', away);
  };

  // patch makes old what fresh is, and leaves alone what is the same: the place of the cursor, a selection, what was opened.
  const patch = (old, fresh) => {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || key(old) !== key(fresh)) {
      old.replaceWith(document.importNode(fresh, true));
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    for (const a of [...old.attributes]) {
      if (!fresh.hasAttribute(a.name) && !(old.nodeName === 'DETAILS' && a.name === 'open')) old.removeAttribute(a.name);
    }
    for (const a of fresh.attributes) {
      if (old.getAttribute(a.name) !== a.value) old.setAttribute(a.name, a.value);
    }
    const atEnd = old.nodeName === 'PRE' && old.scrollHeight - old.scrollTop - old.clientHeight < 8;
    const were = [...old.childNodes], are = [...fresh.childNodes];
    are.forEach((child, i) => (i < were.length ? patch(were[i], child) : old.append(document.importNode(child, true))));
    were.slice(are.length).forEach((child) => child.remove());
    if (atEnd) old.scrollTop = old.scrollHeight;
  };
  // follow moves a new output to its end once; patch keeps it there.
  const followed = new WeakSet();
  const follow = () => {
    const all = document.querySelectorAll('main pre'), last = all[all.length - 1];
    if (!last || followed.has(last)) return;
    followed.add(last);
    last.scrollTop = last.scrollHeight;
  };
  const key = (node) => (node.getAttribute ? (node.getAttribute('data-key') || '') + ' ' + (node.id || '') : '');

  const ask = async () => {
    const res = await fetch(location.pathname + location.search, { cache: 'no-store', redirect: 'error', signal: AbortSignal.timeout(patience) });
    const type = res.headers.get('Content-Type') || '';
    const page = type.startsWith('text/html') ? new DOMParser().parseFromString(await res.text(), 'text/html') : null;
    if (!page || !page.body.hasAttribute('data-wcron')) throw new Error('it answers with status ' + res.status);
    if (!res.ok) {
      const why = page.querySelector('.alarm');
      throw new Error(why ? why.textContent : 'it answers with status ' + res.status);
    }
    for (const part of document.querySelectorAll('[data-live]')) {
      const fresh = part.id && page.getElementById(part.id);
      if (fresh) patch(part, fresh);
    }
    follow();
    document.title = page.title;
    return page.body.dataset.wcron === 'live';
  };

  const turn = async () => {
    clearTimeout(timer);
    if (asking || document.hidden) return;
    asking = true;
    let goOn = true;
    try {
      goOn = await ask();
      wait = every;
      since = null;
      say(goOn ? 'Live: brought up to date every 2 seconds.' : 'It has ended: this page changes no more.', false);
    } catch (err) {
      since = since || new Date();
      wait = Math.min(2 * wait, longest);
      say('Not up to date since ' + since.toLocaleTimeString() + ': the host cannot be asked (' + err.message + '). The next try is in ' +
        Math.round(wait / 1000) + ' seconds.', true);
    }
    asking = false;
    timer = goOn ? setTimeout(turn, wait) : 0;
  };

  if (document.body.dataset.wcron !== 'live') return;
  follow();
  say('Live: brought up to date every 2 seconds.', false);
  document.addEventListener('visibilitychange', () => { if (!document.hidden && timer) turn(); });
  timer = setTimeout(turn, every);
})();
