/* Runs before the first paint, so that a chosen theme never flashes the other one. */
try {
  var theme = JSON.parse(localStorage.getItem("clerestory.preferences") || "{}").theme;
  if (theme === "day" || theme === "night") document.documentElement.dataset.theme = theme;
} catch (error) {
  /* Without storage the system's theme holds. */
}
