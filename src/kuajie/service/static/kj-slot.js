// <kj-slot>: one list of recommendations on any page. See docs/widget.md.
//
// ask (or listen: `live`) -> list -> shadow DOM -> half visible for a second: exposure -> click, dismissal: feedback
//
// Data reaches the page as text nodes and attributes only. What is to be told to the service waits in an outbox that
// survives the page; every row has an id made of its list and position, so telling it twice changes nothing.

const HERE = new URL(import.meta.url).origin;
const VISIT = 'visit-' + [...crypto.getRandomValues(new Uint8Array(12))].map((n) => n.toString(16).padStart(2, '0')).join('');
const SEEN_MS = 1000;
const ASK_MS = 8000;
const SILENT_MS = 45000;
const WORDS = {
  zh: {
    heading: '为您推荐', recommended: '推荐', advertisement: '广告', dismiss: '不感兴趣', dismissed: '已移除：',
    updated: '推荐已更新',
  },
  en: {
    heading: 'Recommended for you', recommended: 'Recommended', advertisement: 'Advertisement',
    dismiss: 'Not interested', dismissed: 'Removed: ', updated: 'Recommendations updated',
  },
};

const SHEET = new CSSStyleSheet();
SHEET.replaceSync(`
:host {
  --_accent: var(--kj-accent, light-dark(#0a58ca, #8ab4f8));
  --_text: var(--kj-text, light-dark(#1f2328, #e8eaed));
  --_muted: var(--kj-muted, light-dark(#59636e, #a6afb9));
  --_surface: var(--kj-surface, light-dark(#fff, #1e2227));
  --_border: var(--kj-border, light-dark(#d8dee4, #3a4149));
  --_wash: light-dark(#eef1f4, #2a2f36);
  --_gap: var(--kj-gap, .75rem);
  --_row: var(--kj-item-height, 7.25rem);
  color-scheme: light dark;
  display: block;
  color: var(--_text);
  font-family: var(--kj-font, inherit);
  font-size: var(--kj-font-size, 1rem);
  line-height: 1.4;
  text-align: start;
}
:host([theme=light]) { color-scheme: light; }
:host([theme=dark]) { color-scheme: dark; }
:host([hidden]), :host(:is([data-state=empty], [data-state=failed]):not([data-other])) { display: none !important; }
:host([data-other]) { min-height: 0 !important; }
:host([data-other]) section, slot { display: none; }
:host([data-other]) slot { display: contents; }
* { box-sizing: border-box; margin: 0; padding: 0; }
header { display: flex; align-items: center; gap: .6rem; min-height: 2rem; margin-block-end: .6rem; }
.heading { font-size: 1.125em; line-height: 1.3; font-weight: 650; overflow-wrap: anywhere; }
.label {
  flex: none; padding: .05rem .5rem; border: 1px solid var(--_border); border-radius: 1rem; color: var(--_muted);
  font-size: .75em;
}
ul {
  display: grid; gap: var(--_gap); list-style: none;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--kj-item-width, 18rem)), 1fr));
  grid-auto-rows: minmax(var(--_row), auto);
}
li {
  position: relative; display: flex; gap: .75rem; min-width: 0; padding: .8rem; padding-inline-end: 2.6rem;
  background: var(--_surface); border: 1px solid var(--_border); border-radius: var(--kj-radius, .75rem);
}
li:has(.title:hover) { border-color: var(--_accent); }
img {
  flex: none; align-self: center; block-size: 4.5rem; aspect-ratio: 1; object-fit: cover;
  border-radius: .5rem; background: var(--_wash);
}
.words { min-width: 0; flex: 1; align-self: center; display: flex; flex-direction: column; gap: .25rem; }
.title, .reason { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; overflow-wrap: anywhere; }
.title {
  border: 0; background: none; color: inherit; font: inherit; font-weight: 600; text-align: start;
  text-decoration: none; cursor: pointer;
}
.title::after { content: ""; position: absolute; inset: 0; border-radius: inherit; }
.reason { color: var(--_muted); font-size: .8125em; }
.personal { color: var(--_accent); }
.dismiss {
  position: absolute; inset-block-start: .15rem; inset-inline-end: .15rem; inline-size: 2.25rem; block-size: 2.25rem;
  border: 0; border-radius: 50%; background: none; color: var(--_muted); font: inherit; font-size: 1.15em; line-height: 1;
  cursor: pointer;
}
.dismiss:hover { background: var(--_wash); color: var(--_text); }
.title:focus-visible { outline: none; }
li:has(.title:focus-visible), .dismiss:focus-visible, section:focus-visible { outline: 3px solid var(--_accent); outline-offset: 1px; }
.status { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.bone::before, .bone::after { content: ""; position: absolute; inset-inline-start: .8rem; block-size: .8rem; border-radius: .4rem; background: var(--_wash); }
.bone::before { inset-block-start: 1.9rem; inline-size: 60%; }
.bone::after { inset-block-start: 3.9rem; inline-size: 40%; }
@media (prefers-reduced-motion: no-preference) {
  li { transition: border-color .15s; }
  .fresh { animation: come .4s ease-out; }
  .bone { animation: breathe 1.6s ease-in-out infinite; }
  @keyframes come { from { opacity: 0; } }
  @keyframes breathe { 50% { opacity: .55; } }
}
@media (forced-colors: active) { .title:focus-visible { outline: 3px solid; } }
`);

/** Rows on their way to the service, kept over reloads and losses of the network; shared by the slots of a page. */
class Outbox {
  static #all = new Map();

  static of(api, domain, key) {
    const name = `kj-outbox|${api}|${domain}|`;
    if (!Outbox.#all.has(name)) Outbox.#all.set(name, new Outbox(name, api));
    const outbox = Outbox.#all.get(name);
    outbox.key = key;
    return outbox;
  }

  static flushAll() {
    for (const outbox of Outbox.#all.values()) outbox.flush();
  }

  constructor(name, api) {
    this.name = name;
    this.api = api;
    this.rows = new Map();
    this.done = new Set();
    this.wait = 1000;
    kept((store) => {
      for (const id of Object.keys(store).filter((id) => id.startsWith(name))) {
        const row = JSON.parse(store.getItem(id));
        if (Date.now() - row.at < 864e5) this.rows.set(id, row);
        else store.removeItem(id);
      }
    });
    this.later(0);
  }

  /** Tell the service of a row, once. */
  add(kind, id, body, delay) {
    id = this.name + id;
    if (this.done.has(id) || this.rows.has(id)) return;
    const row = { kind, body, at: Date.now() };
    this.rows.set(id, row);
    kept((store) => store.setItem(id, JSON.stringify(row)));
    if (this.rows.size > 200) {
      // Exposures are many and worth least.
      const [oldest] = [...this.rows].find(([, each]) => each.kind === 'exposures') ?? [id];
      this.forget(oldest);
    }
    this.later(delay);
  }

  later(delay) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), delay);
  }

  flush() {
    for (const kind of ['exposures', 'feedback']) {
      const rows = [...this.rows].filter(([, row]) => row.kind === kind && !row.away).slice(0, 50);
      if (rows.length && navigator.onLine) this.#send(kind, rows);
    }
  }

  async #send(kind, rows) {
    for (const [, row] of rows) row.away = true;
    let again = true;
    try {
      // Unlike a beacon, a kept-alive fetch outlives the page and carries the key in its header.
      const answer = await post(this.api + '/v1/' + kind, this.key, { [kind]: rows.map(([, row]) => stamped(row)) }, { keepalive: true });
      again = later(answer.status);
    } catch {
      // There is no network; the rows wait.
    }
    for (const [id, row] of rows) {
      row.away = false;
      if (!again) this.forget(id);
    }
    this.wait = again ? Math.min(this.wait * 2, 6e4) : 1000;
    if (this.rows.size) this.later(again ? this.wait : 0);
  }

  forget(id) {
    this.rows.delete(id);
    this.done.add(id);
    kept((store) => store.removeItem(id));
  }
}

/** A page may be denied storage; then rows live as long as the page. */
function kept(use) {
  try {
    use(localStorage);
  } catch {
    // Denied or full.
  }
}

/** What is sent late says when it happened; what is fresh has the time of the service. */
function stamped({ body, at }) {
  return Date.now() - at > 1e4 ? { ...body, occurred_at: new Date(at).toISOString() } : body;
}

/** Whether a status means: not now. */
function later(status) {
  return status === 408 || status === 429 || status >= 500;
}

function post(url, key, body, options) {
  const headers = { 'Content-Type': 'application/json' };
  if (key) headers.Authorization = 'Bearer ' + key;
  return fetch(url, { method: 'POST', headers, body: JSON.stringify(body), credentials: 'omit', referrerPolicy: 'no-referrer', ...options });
}

function element(name, part, text = '') {
  const made = document.createElement(name);
  if (part) {
    made.className = part;
    made.part = part;
  }
  made.textContent = text;
  return made;
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

addEventListener('online', () => Outbox.flushAll());
addEventListener('pagehide', () => Outbox.flushAll());
document.addEventListener('visibilitychange', () => Outbox.flushAll());

class Slot extends HTMLElement {
  static observedAttributes = [
    'api', 'key', 'domain', 'user', 'target', 'placement', 'k', 'exclude', 'personalised', 'live', 'locale', 'label',
    'heading', 'level', 'href', 'image',
  ];

  #stop = new AbortController();
  #due = false;
  #next = null;
  #dismissed = new Set();
  #timers = new Map();
  #watcher = new IntersectionObserver((entries) => this.#seen(entries), { threshold: 0.5 });
  #section = element('section', 'slot');
  #list = element('ul', 'list');
  #status = element('div', 'status');

  /** The list that is shown, as the service gave it. */
  list = null;

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [SHEET];
    this.#section.tabIndex = -1;
    this.#list.setAttribute('role', 'list'); // without bullets some screen readers no longer say so
    this.#status.setAttribute('role', 'status');
    root.append(this.#section, this.#status, element('slot'));
    this.addEventListener('pointerleave', () => this.#settle());
    this.addEventListener('focusout', () => setTimeout(() => this.#settle()));
  }

  connectedCallback() {
    document.addEventListener('visibilitychange', this);
    addEventListener('online', this);
    this.refresh();
  }

  disconnectedCallback() {
    document.removeEventListener('visibilitychange', this);
    removeEventListener('online', this);
    this.#stop.abort();
    this.#watcher.disconnect();
    this.#rest();
  }

  attributeChangedCallback(name, before, now) {
    if (before === now) return;
    if (['api', 'domain', 'user', 'target'].includes(name)) {
      this.list = this.#next = null; // nobody is shown what was for somebody else
      this.#dismissed.clear();
    }
    if (!this.isConnected || this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      if (this.isConnected) this.refresh();
    });
  }

  handleEvent({ type }) {
    if (type === 'online') {
      if (this.dataset.state === 'failed') this.refresh();
    } else if (document.hidden) {
      this.#rest();
      this.#stop.abort(); // a hidden page holds no stream
    } else {
      for (const item of this.#list.children) this.#time(item);
      if (this.hasAttribute('live') || !this.list) this.refresh();
    }
  }

  /** Ask again. */
  async refresh() {
    this.#stop.abort();
    const { signal } = (this.#stop = new AbortController());
    this.#frame();
    if (document.hidden && this.hasAttribute('live')) return;
    try {
      if (!this.#of('domain') || !this.#of('target')) throw new Error('kj-slot needs the attributes domain and target');
      this.#outbox; // sends what the last page left
      if (this.hasAttribute('live')) await this.#listen(signal);
      else this.#show(await this.#ask(signal), signal);
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  #of(name, other = '') {
    return this.getAttribute(name) || other;
  }

  get #api() {
    return new URL(this.#of('api', HERE), document.baseURI).href.replace(/\/$/, '');
  }

  get #language() {
    const told = this.#of('locale') || this.closest('[lang]')?.lang || navigator.language;
    return told.toLowerCase().startsWith('zh') ? 'zh' : 'en';
  }

  get #k() {
    return Math.min(Math.max(parseInt(this.#of('k', '4'), 10) || 4, 1), 100);
  }

  get #outbox() {
    return Outbox.of(this.#api, this.#of('domain'), this.#of('key'));
  }

  /** Who is asked for; without the attribute `user` a name that lives as long as the page. */
  get visitor() {
    return this.#of('user', VISIT);
  }

  #question() {
    return {
      domain: this.#of('domain'),
      user: this.visitor,
      target: this.#of('target'),
      k: this.#k,
      placement: this.#of('placement'),
      exclude: this.#of('exclude').split(',').map((id) => id.trim()).filter(Boolean),
      personalised: this.#of('personalised') !== 'false',
      language: this.#language,
    };
  }

  async #ask(signal) {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]);
    const answer = await post(this.#api + '/v1/recommend', this.#of('key'), this.#question(), { signal: limit });
    if (!answer.ok) throw await refused(answer);
    return answer.json();
  }

  /** Show every list that the service pushes; come again when it stops, and show a single list meanwhile. */
  async #listen(signal) {
    let wait = 1000;
    let shown = false;
    while (!signal.aborted) {
      try {
        const answer = await post(this.#api + '/v1/recommend/stream', this.#of('key'), this.#question(), { signal });
        if (!answer.ok) throw await refused(answer);
        for await (const list of pushed(answer.body)) {
          this.#show(list, signal);
          shown = true;
          wait = 1000;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error.status && !later(error.status)) throw error;
        if (!shown) this.#show(await this.#ask(signal), signal);
        shown = true;
      }
      await pause(wait * (0.5 + Math.random()));
      wait = Math.min(wait * 2, 6e4);
    }
  }

  /** Everything around the items; bones of the same size hold their places until they come. */
  #frame() {
    const words = WORDS[this.#language];
    const level = /^[1-6]$/.test(this.#of('level')) ? this.#of('level') : '2';
    const header = element('header', 'header');
    const heading = element('h' + level, 'heading', this.#of('heading', words.heading));
    heading.id = 'heading';
    const kind = this.#of('label') === 'advertisement' ? 'advertisement' : 'recommended';
    header.append(heading, element('span', 'label', words[kind]));
    this.#section.lang = this.#language;
    this.#section.setAttribute('aria-labelledby', 'heading');
    this.#section.replaceChildren(header, this.#list);
    if (this.list) return;
    this.#section.setAttribute('aria-busy', 'true');
    this.#state('loading');
    this.#list.replaceChildren(...Array.from({ length: this.#k }, () => {
      const bone = element('li', 'bone');
      bone.ariaHidden = 'true';
      return bone;
    }));
  }

  #state(state) {
    this.dataset.state = state;
    this.toggleAttribute('data-other', state !== 'ready' && state !== 'loading' && this.childElementCount > 0);
  }

  #show(list, signal) {
    if (signal.aborted) return;
    const before = this.list;
    if (before && gist(before) === gist(list)) {
      this.#next = null;
    } else if (before?.items.length && this.#touched()) {
      this.#next = list;
    } else {
      this.#render(list);
    }
  }

  /** Nothing moves under a pointer or under the focus of a keyboard. */
  #touched() {
    const pointed = matchMedia('(hover: hover)').matches && this.matches(':hover');
    return pointed || this.shadowRoot.querySelector(':focus-visible');
  }

  #settle() {
    if (this.#next && !this.#touched()) this.#render(this.#next);
  }

  #render(list) {
    const before = new Set(this.list?.items.map((item) => item.item));
    if (this.list) this.#status.textContent = WORDS[this.#language].updated;
    this.list = list;
    this.#next = null;
    this.#rest();
    this.#watcher.disconnect();
    const items = list.items.map((item, position) => this.#item(list, item, position, before));
    this.#list.replaceChildren(...items.filter((_, place) => !this.#dismissed.has(list.items[place].item)));
    this.#section.removeAttribute('aria-busy');
    this.#state(this.#list.children.length ? 'ready' : 'empty');
    for (const item of this.#list.children) this.#watcher.observe(item);
    this.#tell(this.#list.children.length ? 'kj-list' : 'kj-empty', { list_id: list.list_id, items: list.items, fallback: list.fallback });
  }

  #item(list, item, position, before) {
    const made = element('li', 'item');
    if (before.size && !before.has(item.item)) made.classList.add('fresh');
    const href = this.#filled('href', item);
    const title = element(href ? 'a' : 'button', 'title', item.title);
    title.title = item.title; // it may be cut
    if (href) {
      title.href = href;
      if (this.#of('label') === 'advertisement') title.rel = 'sponsored';
    } else {
      title.type = 'button';
    }
    const words = element('div', 'words');
    words.append(title);
    const [why] = item.reasons;
    if (why) {
      const reason = element('p', 'reason', why.text);
      if (why.domain) reason.classList.add('personal');
      reason.title = why.text;
      reason.id = 'reason-' + position;
      title.setAttribute('aria-describedby', reason.id);
      words.append(reason);
    }
    const dismiss = element('button', 'dismiss', '×');
    dismiss.type = 'button';
    dismiss.title = WORDS[this.#language].dismiss;
    dismiss.ariaLabel = `${WORDS[this.#language].dismiss}: ${item.title}`;
    const image = this.#filled('image', item);
    if (image) {
      const picture = element('img', 'image');
      picture.alt = '';
      picture.loading = 'lazy';
      picture.addEventListener('error', () => (picture.hidden = true));
      picture.src = image;
      made.append(picture);
    }
    made.append(words, dismiss);
    const told = { ...item, list_id: list.list_id, position, placement: this.#of('placement') };
    made.told = told;
    const click = (event) => {
      this.#feedback(told, 'click');
      if (!this.#tell('kj-click', told)) event.preventDefault();
    };
    title.addEventListener('click', click);
    title.addEventListener('auxclick', (event) => event.button === 1 && click(event));
    dismiss.addEventListener('click', () => this.#dismiss(made));
    return made;
  }

  /** A template of the page, such as /items/{item}, as an address; nothing but http and https. */
  #filled(name, item) {
    const template = this.#of(name);
    if (!template) return '';
    const path = template.replace(/\{(item|domain)\}/g, (_, field) => encodeURIComponent(item[field]));
    const url = URL.parse ? URL.parse(path, document.baseURI) : new URL(path, document.baseURI);
    return url && /^https?:$/.test(url.protocol) ? url.href : '';
  }

  #dismiss(item) {
    const { told } = item;
    this.#feedback(told, 'dismiss');
    this.#dismissed.add(told.item);
    const near = item.nextElementSibling ?? item.previousElementSibling;
    const focused = this.shadowRoot.activeElement;
    this.#watcher.unobserve(item);
    item.remove();
    if (focused) (near?.querySelector('.dismiss') ?? this.#section).focus();
    this.#status.textContent = WORDS[this.#language].dismissed + told.title;
    this.#tell('kj-dismiss', told);
    if (!near) this.#state('empty');
  }

  #seen(entries) {
    for (const { target, isIntersecting, intersectionRatio } of entries) {
      target.half = isIntersecting && intersectionRatio >= 0.5;
      this.#time(target);
    }
  }

  /** Half of an item must be visible, on a visible page, for a second without a break. */
  #time(item) {
    if (!item.half || document.hidden) {
      clearTimeout(this.#timers.get(item));
      this.#timers.delete(item);
    } else if (!this.#timers.has(item)) {
      this.#timers.set(item, setTimeout(() => this.#expose(item), SEEN_MS));
    }
  }

  #rest() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #expose(item) {
    this.#watcher.unobserve(item);
    item.half = false;
    this.#exposure(item.told);
  }

  #exposure(told) {
    if (told.exposed) return;
    told.exposed = true;
    const { list_id, item, position, placement } = told;
    this.#outbox.add('exposures', 'x' + name(told), { exposure_id: name(told), list_id, item, position, placement }, 500);
    this.#tell('kj-exposure', told);
  }

  /** Who answers has seen. */
  #feedback(told, kind) {
    this.#exposure(told);
    const event_id = `${name(told)}-${kind}`;
    const { list_id, item } = told;
    this.#outbox.add('feedback', event_id, { event_id, list_id, exposure_id: name(told), item, kind }, 0);
  }

  #fail(error) {
    if (!this.list) this.#state('failed');
    this.#section.removeAttribute('aria-busy');
    this.#tell('kj-error', { message: error.message, status: error.status ?? 0 });
  }

  #tell(type, detail) {
    return this.dispatchEvent(new CustomEvent(type, { bubbles: true, composed: true, cancelable: type === 'kj-click', detail }));
  }
}

/** The id of an exposure: the same for the same place of the same list, whose seal is left out. */
function name({ list_id, position }) {
  return `${list_id.split('.')[0]}-${position}`;
}

function gist({ items, personalised }) {
  return JSON.stringify([personalised, items.map((item) => [item.item, item.title, item.reasons[0]?.text])]);
}

async function refused(answer) {
  const { error, do: advice } = await answer.json().catch(() => ({}));
  return Object.assign(new Error(`${error ?? answer.statusText} ${advice ?? ''}`), { status: answer.status });
}

/** The lists in a body of server-sent events; a body that is silent for too long is given up. */
async function* pushed(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  const give = () => reader.cancel().catch(() => {});
  let text = '';
  let timer;
  try {
    for (;;) {
      timer = setTimeout(give, SILENT_MS);
      const { value, done } = await reader.read();
      clearTimeout(timer);
      if (done) return;
      const parts = (text + value).split('\n\n');
      text = parts.pop();
      for (const part of parts) {
        const data = /^data: (.*)$/m.exec(part);
        if (data) yield JSON.parse(data[1]);
      }
    }
  } finally {
    clearTimeout(timer);
    give();
  }
}

if (!customElements.get('kj-slot')) customElements.define('kj-slot', Slot);
