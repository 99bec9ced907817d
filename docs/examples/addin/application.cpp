/* application <add-in> <region>: loads the add-in, calls it from several threads and unloads it. */
#include "addin.h"

#include <array>
#include <functional>
#include <iostream>
#include <string>
#include <thread>

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace {

#ifdef _WIN32
using module = HMODULE;

module open(const char *path) {
    return LoadLibraryA(path);
}
void *find(module addin, const char *name) {
    return reinterpret_cast<void *>(GetProcAddress(addin, name));
}
void close(module addin) {
    FreeLibrary(addin);
}
bool is_loaded(const char *path) {
    const std::string name(path); /* with its directory it need not be found */
    return GetModuleHandleA(name.substr(name.find_last_of("/\\") + 1).c_str()) != nullptr;
}
#else
using module = void *;

module open(const char *path) {
    return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}
void *find(module addin, const char *name) {
    return dlsym(addin, name);
}
void close(module addin) {
    dlclose(addin);
}
bool is_loaded(const char *path) {
    return dlopen(path, RTLD_NOW | RTLD_NOLOAD) != nullptr;
}
#endif

using reason = std::array<char, 512>;

void ask(decltype(addin_compute) *compute, const char *currency, std::string &said) {
    constexpr std::array<double, 4> amounts = {10, 20, 30, 40};
    double total = 0;
    reason why = {};
    for (int i = 0; i < 100; i++)
        if (compute(currency, amounts.data(), amounts.size(), &total, why.data(), why.size())) {
            said = why.data();
            return;
        }
    said = std::to_string(total);
}

/* Each thread asks for another currency. */
void ask_all(decltype(addin_compute) *compute) {
    constexpr std::array<const char *, 4> currencies = {"EUR", "USD", "GBP", "XXX"};
    std::array<std::string, currencies.size()> said;
    std::array<std::thread, currencies.size()> threads;
    for (std::size_t i = 0; i < threads.size(); i++)
        threads[i] = std::thread(ask, compute, currencies[i], std::ref(said[i]));
    for (std::size_t i = 0; i < threads.size(); i++) {
        threads[i].join();
        std::cout << currencies[i] << ": " << said[i] << '\n';
    }
}

bool use(module addin, const char *region) {
    const auto load = reinterpret_cast<decltype(addin_load) *>(find(addin, "addin_load"));
    const auto compute = reinterpret_cast<decltype(addin_compute) *>(find(addin, "addin_compute"));
    const auto unload = reinterpret_cast<decltype(addin_unload) *>(find(addin, "addin_unload"));
    reason why = {};
    if (!load || !compute || !unload) {
        std::cerr << "this is no add-in\n";
        return false;
    }
    const bool loaded = load(region, why.data(), why.size()) == 0;
    if (loaded)
        ask_all(compute);
    else
        std::cerr << why.data() << '\n';
    const bool unloaded = unload(why.data(), why.size()) == 0;
    if (!unloaded)
        std::cerr << why.data() << '\n';
    return loaded && unloaded;
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 3) {
        std::cerr << "application <add-in> <region>\n";
        return 2;
    }
    const module addin = open(argv[1]);
    if (!addin) {
        std::cerr << argv[1] << " cannot be loaded\n";
        return 1;
    }
    const bool worked = use(addin, argv[2]);
    close(addin);
    const bool gone = !is_loaded(argv[1]);
    std::cout << (gone ? "the add-in is unloaded\n" : "the add-in is still loaded\n");
    return worked && gone ? 0 : 1;
}
