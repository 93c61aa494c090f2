"use strict";

const element = document.getElementById("api");
SwaggerUIBundle({
  domNode: element,
  url: element.dataset.url,
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
