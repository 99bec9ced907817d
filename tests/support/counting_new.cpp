#include "support/counting_new.hpp"

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

static std::atomic<int> count_of_allocations{0};

static void *count(void *memory) {
    count_of_allocations.fetch_add(1);
    if (!memory)
        std::abort();
    return memory;
}

void *operator new(std::size_t size) {
    return count(std::malloc(size));
}
void *operator new(std::size_t size, const std::nothrow_t &) noexcept {
    return count(std::malloc(size));
}
void operator delete(void *memory) noexcept {
    std::free(memory);
}
void operator delete(void *memory, std::size_t) noexcept {
    std::free(memory);
}

/* Those that are aligned: as C has them everywhere, with the address malloc gave before them. */
void *operator new(std::size_t size, std::align_val_t alignment) {
    const auto a = static_cast<std::size_t>(alignment);
    auto *memory = static_cast<char *>(count(std::malloc(size + 2 * a)));
    char *aligned = memory + (a - reinterpret_cast<std::uintptr_t>(memory) % a);
    if (static_cast<std::size_t>(aligned - memory) < sizeof memory)
        aligned += a;
    std::memcpy(aligned - sizeof memory, &memory, sizeof memory);
    return aligned;
}
void *operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t &) noexcept {
    return operator new(size, alignment);
}
void operator delete(void *aligned, std::align_val_t) noexcept {
    void *memory = nullptr;
    if (aligned)
        std::memcpy(&memory, static_cast<char *>(aligned) - sizeof memory, sizeof memory);
    std::free(memory);
}
void operator delete(void *aligned, std::size_t, std::align_val_t alignment) noexcept {
    operator delete(aligned, alignment);
}

int testing::allocations() {
    return count_of_allocations.load();
}
