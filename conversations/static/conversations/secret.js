"use strict";

// Without this, reloading the page would send the form again and create another key.
{
  const { location } = document.querySelector(".conversations-secret[data-location]").dataset;
  window.history.replaceState(null, "", location);
}
