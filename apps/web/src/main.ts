import '@fontsource-variable/figtree/wght.css';
import '@fontsource/young-serif/400.css';
import './styles/main.css';

import { createPinia } from 'pinia';
import { createApp } from 'vue';
import { createWebHistory } from 'vue-router';

import App from './App.vue';
import { makeRouter } from './router';

createApp(App).use(createPinia()).use(makeRouter(createWebHistory())).mount('#app');
