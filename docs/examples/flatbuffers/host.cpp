/* FlatBuffers: an order is built where the guest reads it, and the invoice is read where the guest
   built it. */
#include "order_generated.h"

#include <iostream>
#include <shmipc/flatbuffers.hpp>
#include <stdexcept>
#include <vector>

struct item {
    const char *name;
    std::uint32_t count;
    std::uint64_t cents;
};

/* Builds the order in the slot's buffer. */
static void build(flatbuffers::FlatBufferBuilder &builder, const char *customer,
                  const std::vector<item> &items) {
    std::vector<flatbuffers::Offset<shop::Item>> built;
    built.reserve(items.size());
    for (const item &item : items)
        built.push_back(shop::CreateItemDirect(builder, item.name, item.count, item.cents));
    builder.Finish(shop::CreateOrderDirect(builder, customer, &built));
}

static void order(shmipc::slot &slot, const char *customer, const std::vector<item> &items) {
    shmipc::request_builder builder(slot);
    build(builder, customer, items);
    const auto answer = builder.call();
    if (!answer && answer.error().code() == shmipc::errc::handler) {
        std::cout << "refused: " << answer.error().handler_message() << '\n';
        return;
    }

    /* Valid until the slot is sent again or released. */
    const auto *invoice = shmipc::verified<shop::Invoice>(answer.value().data);
    if (!invoice)
        throw std::runtime_error("the guest answers what is no invoice");
    std::cout << invoice->text()->string_view() << ": " << invoice->cents() << " cents\n";
}

static void run(shmipc::host &host) {
    host.wait_guests(1).value();
    auto slot = host.claim().value();
    order(slot, "Ada", {{"hammer", 1, 1490}, {"nail", 250, 3}});
    order(slot, "Bob", {});
}

int main(int argc, char **argv) try {
    auto host = shmipc::host::create(argc > 1 ? argv[1] : "flatbuffers").value();
    run(host);
    host.shutdown().value();
    return 0;
} catch (const std::exception &failure) {
    std::cerr << failure.what() << '\n';
    return 1;
}
