// The pages at the door in English: they load this small part of the catalogue only.
export default {
  language: "Language", loginPage: "Sign in · frontdesk", setupPage: "Welcome · frontdesk",
  email: "Email", password: "Password", enter: "Sign in", forgot: "Forgot your password? An admin can make a reset link for you.", next: "Continue", again: "Start again", toLogin: "Go to sign-in",
  account: { code: "Code", picture: "QR code of the key", kept: "I have kept them" },
  login: { title: "Sign in" },
  code: { title: "Second step", lead: "Enter the code that your authenticator app shows.", hint: "Six figures from the app, or a recovery code." },
  enrol: { title: "Set up your second step", lead: "Your role needs an authenticator app. Scan this with it, then enter the code it shows.", typed: "No camera? Type this key:", hint: "Six figures from the app." },
  kept: { title: "Recovery codes", lead: "Keep these recovery codes away from your phone. Each signs you in once; they are shown only now." },
  checking: { title: "Checking your link", lead: "One moment." }, broken: { title: "This link does not work" },
  setup: { title: "Welcome", lead: "You are the first here: make the admin account of this desk." },
  invite: { title: "Join the desk", lead: "Choose a name and a password to accept the invitation." },
  reset: { title: "New password", lead: "Choose a new password. You will be signed out everywhere else." },
  yourName: "Your name", length: "At least 12 characters. A few unrelated words are easy to remember.",
  fields: {
    email: "Type an email address such as ana@example.com.", name: "Type your name.", code: "Type the six figures of the app, or a recovery code.", token: "The link is incomplete. Copy it whole, or ask for a new one.",
    password: "Choose a password of at least 12 characters that is neither your email address nor one character repeated.",
  },
  wrong: {
    sign_in: "Email or password is wrong, or the account is disabled.", code: "The code is wrong, was used already, or is of another time. Wait for the next one and check the clock.",
    over: "This sign-in took too long or had too many tries; enter your password again.", app_on: "An authenticator app is set up already. Start again and enter its code.",
    link: "This link was used, has expired, or never existed. Ask an admin for a new one.", taken: "Somebody with this email has an account already; sign in, or ask for a reset.",
    seal_key: "The server cannot read the keys of authenticator apps. A recovery code works; otherwise an admin must put the server's key back or take your app away.",
    s0: "The server cannot be reached. Check the connection and try again.", s403: "This page is of another site than the server. Open the console at its own address.",
    s429: { one: "Too many attempts. Wait one second, then try again.", other: "Too many attempts. Wait {n} seconds, then try again." },
    s500: "Something went wrong at the server. Give this id to whoever runs it: {id}", s503: "The server cannot do this right now. Try again in a moment.", other: "The server refused this: {text}",
  },
};
