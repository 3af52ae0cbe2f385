// Die Seiten an der Tür auf Deutsch; von den Wörtern laden sie nur diesen kleinen Teil.
export default {
  language: "Sprache", loginPage: "Anmelden · frontdesk", setupPage: "Willkommen · frontdesk",
  email: "E-Mail", password: "Passwort", enter: "Anmelden", forgot: "Passwort vergessen? Ein Admin kann Ihnen einen Link zum Zurücksetzen geben.", next: "Weiter", again: "Von vorn beginnen", toLogin: "Zur Anmeldung",
  account: { code: "Code", picture: "QR-Code des Schlüssels", kept: "Ich habe sie verwahrt" },
  login: { title: "Anmelden" },
  code: { title: "Zweiter Schritt", lead: "Geben Sie den Code ein, den Ihre Authenticator-App zeigt.", hint: "Sechs Ziffern aus der App oder ein Ersatzcode." },
  enrol: { title: "Zweiten Schritt einrichten", lead: "Ihre Rolle verlangt eine Authenticator-App. Scannen Sie das Bild damit und geben Sie den angezeigten Code ein.", typed: "Keine Kamera? Tippen Sie diesen Schlüssel ab:", hint: "Sechs Ziffern aus der App." },
  kept: { title: "Ersatzcodes", lead: "Bewahren Sie diese Ersatzcodes getrennt vom Telefon auf. Jeder meldet Sie einmal an; sie sind nur jetzt zu sehen." },
  checking: { title: "Ihr Link wird geprüft", lead: "Einen Augenblick." }, broken: { title: "Dieser Link gilt nicht" },
  setup: { title: "Willkommen", lead: "Sie sind hier die erste Person: Legen Sie das Admin-Konto an." },
  invite: { title: "Ins Team kommen", lead: "Wählen Sie einen Namen und ein Passwort, um die Einladung anzunehmen." },
  reset: { title: "Neues Passwort", lead: "Wählen Sie ein neues Passwort. Überall sonst werden Sie abgemeldet." },
  yourName: "Ihr Name", length: "Mindestens 12 Zeichen. Ein paar Wörter ohne Zusammenhang sind leicht zu merken.",
  fields: {
    email: "Geben Sie eine E-Mail-Adresse ein, etwa ana@example.com.", name: "Geben Sie Ihren Namen ein.", code: "Geben Sie die sechs Ziffern der App oder einen Ersatzcode ein.", token: "Der Link ist unvollständig. Kopieren Sie ihn ganz, oder bitten Sie um einen neuen.",
    password: "Wählen Sie ein Passwort mit mindestens 12 Zeichen, das weder Ihre E-Mail-Adresse noch ein wiederholtes Zeichen ist.",
  },
  wrong: {
    sign_in: "E-Mail oder Passwort ist falsch, oder das Konto ist gesperrt.", code: "Der Code ist falsch, schon benutzt oder von einer anderen Zeit. Warten Sie auf den nächsten und prüfen Sie die Uhr.",
    over: "Diese Anmeldung hat zu lange gedauert oder zu viele Versuche gehabt. Geben Sie Ihr Passwort noch einmal ein.", app_on: "Eine Authenticator-App ist schon eingerichtet. Beginnen Sie von vorn und geben Sie ihren Code ein.",
    link: "Dieser Link wurde schon benutzt, ist abgelaufen oder hat nie gegolten. Bitten Sie einen Admin um einen neuen.", taken: "Mit dieser E-Mail-Adresse gibt es schon ein Konto. Melden Sie sich an, oder bitten Sie um einen Link zum Zurücksetzen.",
    seal_key: "Der Server kann die Schlüssel der Authenticator-Apps nicht lesen. Ein Ersatzcode gilt; sonst muss ein Admin den Schlüssel des Servers zurücklegen oder Ihre App wegnehmen.",
    s0: "Der Server ist nicht erreichbar. Prüfen Sie die Verbindung und versuchen Sie es noch einmal.", s403: "Diese Seite gehört zu einer anderen Adresse als der Server. Öffnen Sie die Konsole unter ihrer eigenen Adresse.",
    s429: { one: "Zu viele Versuche. Warten Sie eine Sekunde, dann versuchen Sie es noch einmal.", other: "Zu viele Versuche. Warten Sie {n} Sekunden, dann versuchen Sie es noch einmal." },
    s500: "Am Server ist etwas schiefgegangen. Nennen Sie dem Betreiber diese Kennung: {id}", s503: "Der Server kann das gerade nicht tun. Versuchen Sie es gleich noch einmal.", other: "Der Server hat das abgelehnt: {text}",
  },
};
