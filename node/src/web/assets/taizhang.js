/* The one script of every page. Pages work without it: it adds keys, checks while typing, live parts, and forms that survive a power cut.
   For browsers of 2020 and later. */
(function () {
  'use strict';
  var $ = function (s, in_) { return (in_ || document).querySelector(s); };
  var all = function (s, in_) { return Array.prototype.slice.call((in_ || document).querySelectorAll(s)); };

  function toast(text, href, word) {
    var box = document.createElement('div');
    box.className = 'toast';
    box.setAttribute('role', 'status');
    box.textContent = text;
    if (href) { var a = document.createElement('a'); a.href = href; a.textContent = word; box.appendChild(a); }
    $('.toasts').appendChild(box);
    setTimeout(function () { box.remove(); }, 8000);
  }

  // Keys: what a page offers has its key in data-key. None while somebody writes, none together with another key.
  document.addEventListener('keydown', function (e) {
    var t = e.target;
    var writes = /^(INPUT|SELECT|TEXTAREA)$/.test(t.tagName) && t.type !== 'submit';
    if (writes) {
      // Enter walks a form as in Excel; on the last field it saves.
      if (e.key === 'Enter' && t.form && t.form.dataset.form !== undefined && t.tagName !== 'TEXTAREA' && !e.ctrlKey && !e.isComposing) {
        var fields = all('input:not([type=hidden]):not([readonly]),select:not([disabled]),textarea', t.form);
        var next = fields[fields.indexOf(t) + 1];
        if (next) { e.preventDefault(); next.focus(); if (next.select) { next.select(); } }
      }
      if (e.key === 'Escape') { t.blur(); }
      return;
    }
    if (e.ctrlKey || e.altKey || e.metaKey || e.isComposing) { return; }
    if (e.key === '/') { var s = $('[data-search]'); if (s) { e.preventDefault(); s.focus(); s.select(); } return; }
    var hit = $('[data-key="' + String(e.key).toUpperCase().replace(/["\\]/g, '') + '"]');
    if (hit) { e.preventDefault(); hit.click(); }
  });

  // The second click of a double click sends nothing.
  document.addEventListener('submit', function (e) {
    var f = e.target;
    if (f.dataset.sent) { e.preventDefault(); return; }
    f.dataset.sent = '1';
    setTimeout(function () { delete f.dataset.sent; }, 4000);
  });
  window.addEventListener('pageshow', function () { all('form[data-sent]').forEach(function (f) { delete f.dataset.sent; }); });
  all('[data-back]').forEach(function (a) {
    if (history.length > 1) { a.addEventListener('click', function (e) { e.preventDefault(); history.back(); }); }
  });
  all('[data-print]').forEach(function (b) { b.addEventListener('click', function () { window.print(); }); });

  function post(path, pairs) {
    var body = pairs.map(function (p) { return encodeURIComponent(p[0]) + '=' + encodeURIComponent(p[1]); }).join('&');
    return fetch(path, {
      method: 'POST', credentials: 'same-origin', body: body,
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-by-itself': 'typed' }
    });
  }
  function csrf() { var c = $('input[name=csrf]'); return c ? c.value : ''; }
  function later(ms, f) { var t; return function () { clearTimeout(t); var a = arguments; t = setTimeout(function () { f.apply(null, a); }, ms); }; }

  // Checks while typing; the server checks again.
  all('[data-check]').forEach(function (input) {
    var hint = document.getElementById(input.getAttribute('aria-describedby'));
    var first = hint.textContent;
    input.addEventListener('input', later(250, function () {
      if (!input.value.trim()) { hint.textContent = first; hint.className = 'hint'; input.removeAttribute('aria-invalid'); return; }
      var asked = input.value;
      post('/check', [['csrf', csrf()], ['kind', input.dataset.check], ['form', input.form.dataset.form || ''], ['value', asked]]).then(function (r) { return r.ok ? r.json() : null; }).then(function (said) {
        if (!said || input.value !== asked) { return; }
        hint.textContent = said.words;
        hint.className = 'hint ' + (said.good ? 'good' : said.whole ? 'bad' : '');
        if (said.good || !said.whole) { input.removeAttribute('aria-invalid'); } else { input.setAttribute('aria-invalid', 'true'); }
      }).catch(function () { /* the line of this page is down: the server checks when it is sent */ });
    }));
  });

  // A form that is half filled is kept by the program, not by the browser.
  all('form[data-form]').forEach(function (form) {
    if (!form.dataset.form) { return; }
    var keep = later(700, function () {
      if (form.dataset.sent) { return; }
      var pairs = all('[name]', form).map(function (i) { return [i.name, i.value]; });
      pairs.push(['form', form.dataset.form]);
      post('/draft', pairs).then(function (r) { if (r.ok) { var s = $('[data-draft]', form); if (s) { s.textContent = document.body.dataset.saved; } } }).catch(function () {});
    });
    form.addEventListener('input', keep);
    form.addEventListener('change', keep);
  });

  // Live parts: the page says which it has, and each is fetched anew when something has changed.
  var live = all('[data-live]');
  var watched = $('[data-watch]');
  if ((live.length || watched) && window.EventSource && $('.bar nav')) {
    var renew = later(120, function () {
      fetch(location.href, { credentials: 'same-origin', headers: { 'x-by-itself': '1' } }).then(function (r) {
        // Nobody is logged in any more: what stands here grows old, and says so.
        if (r.status === 401 && !$('form[data-form]')) { location.reload(); }
        return r.ok ? r.text() : null;
      }).then(function (html) {
        if (!html) { return; }
        var page = new DOMParser().parseFromString(html, 'text/html');
        all('[data-live]').forEach(function (old) {
          var now = page.querySelector('[data-live="' + old.dataset.live + '"]');
          if (!now || now.innerHTML === old.innerHTML || old.contains(document.activeElement)) { return; }
          old.innerHTML = now.innerHTML;
          old.classList.add('flash');
          setTimeout(function () { old.classList.remove('flash'); }, 1500);
        });
        var w = page.querySelector('[data-watch]');
        if (watched && w && w.dataset.watch !== watched.dataset.watch) {
          var note = $('[data-changed-note]');
          if (note) { note.hidden = false; note.textContent = document.body.dataset.changed; }
        }
      }).catch(function () {});
    });
    var source = null;
    var listen = function () {
      if (source) { return; }
      source = new EventSource('/events');
      source.addEventListener('changed', renew);
    };
    // A browser has six connections for a site: a page that is left, or not looked at, holds none.
    var leave = function () { if (source) { source.close(); source = null; } };
    window.addEventListener('pagehide', leave);
    window.addEventListener('beforeunload', leave);
    window.addEventListener('pageshow', function (e) { if (e.persisted) { renew(); } listen(); });
    document.addEventListener('visibilitychange', function () {
      if (document.hidden) { leave(); } else { renew(); listen(); }
    });
    listen();
  }

  // A file by dropping it, and its progress.
  all('[data-drop]').forEach(function (zone) {
    var input = $('input[type=file]', zone);
    ['dragover', 'dragenter'].forEach(function (n) { zone.addEventListener(n, function (e) { e.preventDefault(); zone.classList.add('over'); }); });
    ['dragleave', 'drop'].forEach(function (n) { zone.addEventListener(n, function () { zone.classList.remove('over'); }); });
    zone.addEventListener('drop', function (e) {
      e.preventDefault();
      if (e.dataTransfer.files.length) { input.files = e.dataTransfer.files; zone.closest('form').requestSubmit ? zone.closest('form').requestSubmit() : zone.closest('form').submit(); }
    });
    input.addEventListener('change', function () { var s = $('[data-chosen]', zone); if (s && input.files[0]) { s.textContent = input.files[0].name; } });
  });
  var works = $('[data-works]');
  if (works) {
    var again = function () {
      fetch(location.href, { credentials: 'same-origin', headers: { 'x-by-itself': '1' } }).then(function (r) { return r.text(); }).then(function (html) {
        var page = new DOMParser().parseFromString(html, 'text/html');
        if (!page.querySelector('[data-works]')) { location.reload(); return; }
        $('main').innerHTML = page.querySelector('main').innerHTML;
        setTimeout(again, 400);
      }).catch(function () { setTimeout(again, 2000); });
    };
    setTimeout(again, 400);
  }

  var said = $('[data-toast]');
  if (said) { toast(said.dataset.toast, said.dataset.href, said.dataset.word); }
})();
