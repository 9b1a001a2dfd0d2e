/* Repeated dlopen and dlclose: the module stays mapped, because a thread may be executing its code, and nothing
 * grows. */
#include "guest.h"
#include <link.h>

static int count_modules(struct dl_phdr_info *info, size_t size, void *count)
{
    (void)size;
    *(int *)count += strstr(info->dlpi_name, "libnss_mdns") != NULL;
    return 0;
}

int main(void)
{
    by_name4 *function = NULL;
    int before = open_descriptors();
    for (int number = 0; number < 500; number++) {
        void *module = dlopen("libnss_mdns_minimal.so.2", RTLD_NOW);
        void *other = dlopen("libnss_mdns4.so.2", RTLD_NOW);
        if (!module || !other)
            fail("dlopen: %s", dlerror());
        by_name4 *found = (by_name4 *)dlsym(module, "_nss_mdns_gethostbyname4_r");
        if (function && found != function)
            fail("the module was mapped at another address");
        function = found;
        struct gaih_addrtuple_ *first = NULL;
        char buffer[1024];
        int error, h_error;
        if (function("same.local", &first, buffer, sizeof buffer, &error, &h_error, NULL) != NSS_STATUS_SUCCESS)
            fail("lookup %d failed", number);
        dlclose(module);
        dlclose(other);
        /* The module has now been closed as often as opened. */
        if (function("same.local", &first, buffer, sizeof buffer, &error, &h_error, NULL) == NSS_STATUS_UNAVAIL)
            fail("lookup %d failed after dlclose", number);
    }
    int modules = 0;
    dl_iterate_phdr(count_modules, &modules);
    if (modules != 1)
        fail("%d mappings of the module", modules);
    expect_descriptors(before, "after dlclose");
    printf("500 times, one mapping\n");
}
