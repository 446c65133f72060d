import { nextTick } from 'vue';
import { createRouter, START_LOCATION, type RouterHistory } from 'vue-router';

import BasketPage from './pages/BasketPage.vue';
import CataloguePage from './pages/CataloguePage.vue';
import NotFoundPage from './pages/NotFoundPage.vue';
import OrderPage from './pages/OrderPage.vue';
import OrdersPage from './pages/OrdersPage.vue';
import ProductPage from './pages/ProductPage.vue';

/** Makes the router. */
export function makeRouter(history: RouterHistory) {
  const router = createRouter({
    history,
    // No page is loaded on demand: all of them are small, and a deployment removes the files of the one before, so a
    // page that is open would miss its parts.
    routes: [
      { path: '/', name: 'catalogue', component: CataloguePage },
      { path: '/products/:id', name: 'product', component: ProductPage, props: true },
      { path: '/basket', name: 'basket', component: BasketPage },
      { path: '/orders', name: 'orders', component: OrdersPage },
      { path: '/orders/:id', name: 'order', component: OrderPage, props: true },
      { path: '/:path(.*)*', name: 'not-found', component: NotFoundPage },
    ],
    // Deprecated in favour of what is still experimental.
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    scrollBehavior(to, from, saved) {
      return saved ?? (to.path === from.path ? undefined : { top: 0 });
    },
  });
  router.afterEach(async (to, from) => {
    if (from === START_LOCATION || to.path === from.path) {
      return;
    }
    // As a browser does with a new page: the keyboard and a screen reader begin at the top of what is new.
    await nextTick();
    document.querySelector('h1')?.focus({ preventScroll: true });
  });
  return router;
}
