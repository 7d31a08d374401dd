// Package browser tries the dashboard of a host in a real browser. It is a module of its own, so that wcron does not depend on what drives
// the browser. It needs Chromium on the PATH (chromium, chromium-browser or google-chrome).
package browser
