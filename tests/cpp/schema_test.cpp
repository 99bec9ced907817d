/*
 * FlatBuffers of a compiled schema: a request built in a slot, an answer in the response buffer.
 */
#include "cpp/pair.hpp"
#include "sample_generated.h"

#include <shmipc/flatbuffers.hpp>

#include <string>
#include <vector>

namespace {

const sample::Order *order_in(shmipc::byte_view data) {
    return shmipc::verified<sample::Order>(data, sample::OrderIdentifier());
}

/* Answers with an order whose items weigh twice as much. */
void double_weights(const shmipc::request &request, shmipc::response &response) {
    const auto *order = order_in(request.data());
    if (order == nullptr)
        return response.fail("this is no Order");
    shmipc::response_builder builder(response);
    std::vector<flatbuffers::Offset<sample::Item>> items;
    for (const sample::Item *item : *order->items())
        items.push_back(
            sample::CreateItem(builder, builder.CreateString(item->name()), 2 * item->weight()));
    const auto all = builder.CreateVector(items);
    builder.Finish(sample::CreateOrder(builder, order->id(), all), sample::OrderIdentifier());
    must(builder.respond().has_value());
}

void build(flatbuffers::FlatBufferBuilder &builder, const char *identifier) {
    std::vector<flatbuffers::Offset<sample::Item>> items;
    items.reserve(10);
    for (int i = 0; i < 10; i++)
        items.push_back(sample::CreateItem(
            builder, builder.CreateString("item " + std::to_string(i)), 0.5 * i));
    const auto all = builder.CreateVector(items);
    builder.Finish(sample::CreateOrder(builder, 7, all), identifier);
}

void an_order_is_built_in_place_and_answered_in_place() {
    testing::pair p{shmipc::host_config()};
    const auto server = testing::serve(p.guest, double_weights);
    auto slot = p.host.claim().value();
    shmipc::request_builder builder(slot);
    build(builder, sample::OrderIdentifier());
    const auto answer = builder.call();
    must(answer.has_value());
    const auto *order = order_in(answer->data);
    must(order != nullptr);
    must(order->id() == 7 && order->items()->size() == 10);
    must(order->items()->Get(9)->name()->str() == "item 9");
    must(order->items()->Get(9)->weight() == 9.0);
}

void another_message_is_told_from_an_order() {
    testing::pair p{shmipc::host_config()};
    const auto server = testing::serve(p.guest, double_weights);
    auto slot = p.host.claim().value();
    shmipc::request_builder builder(slot);
    build(builder, "ELSE");
    const auto answer = builder.call();
    must(!answer && answer.error().handler_message() == "this is no Order");
    must(!p.host.call("some text").has_value());
}

} // namespace

int main() {
    return testing::run({SCENE(an_order_is_built_in_place_and_answered_in_place),
                         SCENE(another_message_is_told_from_an_order)});
}
