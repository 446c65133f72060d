// Runs at CloudFront for each request to the site's bucket. A path whose last part has no dot is a page of the single-page
// application, which index.html shows; anything else is a file and is looked up as it is, so that a missing one is missed.
function handler(event) {
  const request = event.request;
  const last = request.uri.slice(request.uri.lastIndexOf('/') + 1);
  if (!last.includes('.')) {
    request.uri = '/index.html';
  }
  return request;
}
