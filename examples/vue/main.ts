// Puts the chat on a page: needs vue and spanfeed-react (of which it uses the client alone), and a bundler such as Vite.
import { createApp } from "vue";
import Chat from "./Chat.vue";

createApp(Chat).mount(document.body.appendChild(document.createElement("main")));
